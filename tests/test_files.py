"""File fields, their values, and the storage in the file system."""

import pickle

import pytest

from facade import models
from facade.configuration import override
from facade.exceptions import FieldError, SuspiciousFileOperation
from facade.fields import FieldFile
from facade.files import ContentFile, File, FileSystemStorage, Storage, validate_file_name


def folder_of_year(instance, filename):
    return f"{instance.year}/{filename}"


class Document(models.Model):
    year = models.IntegerField(default=2024)
    file = models.FileField(upload_to="docs", max_length=60)
    other = models.FileField(upload_to=folder_of_year, null=True)


@pytest.fixture
def media(tmp_path):
    with override(MEDIA_ROOT=str(tmp_path / "media"), MEDIA_URL="/media"):
        yield tmp_path / "media"


@pytest.fixture
def storage(tmp_path):
    return FileSystemStorage(tmp_path, base_url="/media")


class TestStorage:
    def test_what_is_saved_can_be_opened(self, storage, tmp_path):
        name = storage.save("a/b.txt", ContentFile(b"content"))
        assert name == "a/b.txt"
        assert (tmp_path / "a" / "b.txt").read_bytes() == b"content"
        with storage.open(name) as file:
            assert file.read() == b"content"
        assert storage.size(name) == 7
        assert storage.path(name) == str(tmp_path / "a" / "b.txt")
        assert storage.url(name) == "/media/a/b.txt"
        storage.delete(name)
        assert not storage.exists(name)
        storage.delete(name)

    def test_text_can_be_saved(self, storage, tmp_path):
        storage.save("a.txt", ContentFile("text"))
        assert (tmp_path / "a.txt").read_text() == "text"

    def test_a_taken_name_gets_a_tail(self, storage):
        first, second = (storage.save("a.tar.gz", ContentFile(b"x")) for _ in range(2))
        assert first == "a.tar.gz"
        assert second != first
        assert second.startswith("a.tar_")
        assert second.endswith(".gz")

    def test_a_name_is_cut_to_its_length(self, storage):
        name = storage.save("x" * 50 + ".txt", ContentFile(b"x"), max_length=20)
        assert len(name) == 20
        assert name.endswith(".txt")
        with pytest.raises(SuspiciousFileOperation, match="No free name of at most 5"):
            storage.save("xxxxxxx.txt", ContentFile(b"x"), max_length=5)

    def test_a_temporary_file_is_moved(self, storage, tmp_path):
        source = tmp_path / "upload"
        source.write_bytes(b"x")
        content = File(source.open("rb"))
        content.temporary_file_path = lambda: str(source)
        with content:
            assert storage.save("moved.txt", content) == "moved.txt"
        assert not source.exists()

    @pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "..", ".", "", "a/.."])
    def test_names_that_lead_elsewhere_are_refused(self, storage, name):
        with pytest.raises(SuspiciousFileOperation):
            storage.save(name, ContentFile(b"x"))
        with pytest.raises(SuspiciousFileOperation):
            storage.generate_filename(name)

    def test_a_path_never_leaves_the_folder(self, storage):
        with pytest.raises(SuspiciousFileOperation, match="leads out of"):
            storage.path("../x")

    def test_file_names_lose_what_makes_trouble(self, storage):
        assert storage.generate_filename("a b/c d$%.txt") == "a b/c_d.txt"
        with pytest.raises(SuspiciousFileOperation, match="Could not derive file name from"):
            storage.generate_filename("$")

    def test_a_url_is_quoted(self, storage):
        assert storage.url("a b/ü?.txt") == "/media/a%20b/%C3%BC%3F.txt"
        with pytest.raises(ValueError, match="not accessible via a URL"):
            FileSystemStorage("/x", base_url="").url("a")

    def test_equal_are_those_of_one_place(self, storage, tmp_path):
        assert storage == FileSystemStorage(tmp_path, base_url="/media/")
        assert storage != FileSystemStorage(tmp_path)
        assert storage.deconstruct() == (
            "facade.files.FileSystemStorage",
            (tmp_path,),
            {"base_url": "/media"},
        )
        assert isinstance(storage, Storage)

    def test_a_file_name_has_no_folder(self):
        assert validate_file_name("a.txt") == "a.txt"
        with pytest.raises(SuspiciousFileOperation, match="Detected path traversal attempt in 'a/b'"):
            validate_file_name("a/b")


class TestFiles:
    def test_content_is_read_in_pieces(self):
        file = ContentFile(b"abcdef", "a")
        assert list(file.chunks(4)) == [b"abcd", b"ef"]
        assert (file.size, str(file), bool(file), file.closed) == (6, "a", True, False)

    def test_a_file_knows_its_size(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"12345")
        with File(path.open("rb")) as file:
            assert file.size == 5
            assert file.read(2) == b"12"
            assert [file.open().read(), file.tell()] == [b"12345", 5]
        assert file.closed
        assert file.open("rb").read() == b"12345"
        file.close()


class TestField:
    @pytest.fixture(autouse=True)
    def table(self, database, media):
        database.create(Document)

    def test_a_file_is_stored_when_its_row_is(self, face, media):
        row = Document(file=ContentFile(b"content", "a b.txt"))
        assert not list(media.rglob("*"))
        face(row.save)
        assert row.file.name == row.file == "docs/a_b.txt"
        found = face(Document.objects.get, pk=row.pk)
        assert isinstance(found.file, FieldFile)
        assert found.file.instance is found
        assert found.file.read() == b"content"
        assert (found.file.size, found.file.url) == (7, "/media/docs/a_b.txt")
        assert found.file.path == str(media / "docs" / "a_b.txt")
        found.file.close()
        assert found.file.closed

    def test_a_function_may_name_the_file(self, face, media):
        row = face(Document.objects.create, file="x", other=ContentFile(b"y", "b.txt"))
        assert row.other.name == "2024/b.txt"

    def test_a_name_is_a_file(self, face):
        row = face(Document.objects.create, file="docs/x.txt")
        assert row.file == "docs/x.txt"
        assert face(Document.objects.get, file="docs/x.txt") == row
        assert not row.other
        with pytest.raises(ValueError, match="The 'other' attribute has no file associated with it"):
            row.other.file  # noqa: B018

    def test_a_file_can_be_taken_away(self, face, media):
        row = face(Document.objects.create, file=ContentFile(b"x", "a.txt"))
        face(row.file.delete)
        assert not (media / "docs" / "a.txt").exists()
        assert not row.file
        row.file.delete()

    def test_a_file_can_be_replaced(self, face, media):
        row = face(Document.objects.create, file="x")
        face(row.file.save, "new.txt", ContentFile(b"new"))
        assert face(Document.objects.get, pk=row.pk).file.name == "docs/new.txt"

    def test_content_without_a_name_is_refused(self, face):
        with pytest.raises(FieldError, match="File for file must have the name attribute") as caught:
            face(Document.objects.create, file=ContentFile(b"x"))
        assert caught.value.__notes__ == ["Pass a 'name' argument to ContentFile."]

    def test_a_pickled_file_finds_its_storage(self, face):
        row = face(Document.objects.create, file=ContentFile(b"x", "a.txt"))
        again = pickle.loads(pickle.dumps(row.file))
        assert again == row.file
        assert again.storage is row.file.storage
        assert again.read() == b"x"
        again.close()

    def test_a_form_changes_or_clears_it(self):
        row = Document(file="x")
        field = Document._meta.get_field("file")
        field.save_form_data(row, None)
        assert row.file == "x"
        field.save_form_data(row, False)
        assert row.file == ""


class TestDeclaration:
    def test_it_tells_how_it_was_made(self, storage):
        field = models.FileField(upload_to="x", storage=storage)
        assert field.deconstruct()[-1] == {"upload_to": "x", "storage": storage}
        assert models.FileField().deconstruct()[-1] == {"upload_to": ""}
        image = models.ImageField(width_field="w", height_field="h")
        assert image.deconstruct()[-1] == {"upload_to": "", "width_field": "w", "height_field": "h"}

    def test_a_storage_may_come_from_a_function(self, storage):
        def choose():
            return storage

        field = models.FileField(storage=choose)
        assert field.storage is storage
        assert field.deconstruct()[-1]["storage"] is choose

    def test_what_is_no_storage_is_refused(self):
        with pytest.raises(
            TypeError, match=r"FileField.storage must be a subclass/instance of facade.files.Storage"
        ):
            models.FileField(storage=lambda: 5)
