"""Files and images: the column holds their names, a storage their contents."""

from __future__ import annotations

import datetime as dt
import importlib
import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from facade import bridge
from facade.exceptions import FieldError
from facade.fields.attributes import DeferredAttribute, Operand
from facade.fields.base import Field
from facade.fields.columns import text_column
from facade.fields.kinds.text import storable_text, text_of
from facade.files import ContentFile, File, Storage, default_storage, validate_file_name
from facade.foundation.promises import kept
from facade.signals import post_init
from facade.timezone import get_default_timezone

if TYPE_CHECKING:
    from facade.checks import CheckMessage
    from facade.fields.columns import ColumnType, Declared
    from facade.fields.contracts import Instance
    from facade.fields.keywords import FileOptions, ImageOptions


class FieldFile(File):
    """The value of a FileField: a file in the field's storage, or none when `name` is empty."""

    def __init__(self, instance: Instance, field: FileField, name: str | None) -> None:
        self.name = name
        self.instance, self.field, self.storage = instance, field, field.storage
        self._file: Any = None
        self._committed = True

    def __eq__(self, other: object) -> bool:
        return bool(self.name == getattr(other, "name", other))

    def __hash__(self) -> int:
        return hash(self.name)

    def _require_file(self) -> None:
        if not self:
            raise ValueError(f"The '{self.field.name}' attribute has no file associated with it.")

    @property
    def file(self) -> Any:
        """The open file. Raises ValueError if there is none."""
        self._require_file()
        if self._file is None:
            self._file = self.storage.open(self.name, "rb")
        return self._file

    @file.setter
    def file(self, file: object) -> None:
        self._file = file

    @file.deleter
    def file(self) -> None:
        self._file = None

    @property
    def path(self) -> str:
        """The path in the file system, where the storage has one."""
        self._require_file()
        return str(self.storage.path(self.name))

    @property
    def url(self) -> str:
        """The URL under which the storage shows the file."""
        self._require_file()
        return str(self.storage.url(self.name))

    @property
    def size(self) -> int:
        self._require_file()
        return self.storage.size(self.name) if self._committed else int(self.file.size)

    @property
    def closed(self) -> bool:
        return self._file is None or bool(self._file.closed)

    def open(self, mode: str | None = "rb") -> FieldFile:
        """Open the file, or go back to its beginning."""
        self._require_file()
        if self._file is None:
            self._file = self.storage.open(self.name, mode or "rb")
        else:
            self._file.open(mode)
        return self

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def save(self, name: str, content: File, save: bool = True) -> None:
        """Store `content` under a name made of `name`, and with `save` the instance as well."""
        wanted = self.field.generate_filename(self.instance, name)
        self.name = self.storage.save(wanted, content, max_length=self.field.max_length)
        self._tell_instance(content)
        self._committed = True
        if save:
            self.instance.save()

    def _tell_instance(self, content: object) -> None:
        setattr(self.instance, self.field.attname, self.name)

    def delete(self, save: bool = True) -> None:
        """Remove the file, and with `save` its name from the row."""
        if not self:
            return
        self.close()
        self._file = None
        self.storage.delete(self.name)
        self.name = None
        setattr(self.instance, self.field.attname, None)
        self._committed = False
        if save:
            self.instance.save()

    asave = bridge.twin(save)
    adelete = bridge.twin(delete)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "storage"}
        return {**state, "_file": None, "_committed": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.storage = self.field.storage


class FileDescriptor(DeferredAttribute):
    """The attribute of a file field: whatever is assigned is read as a file of the field."""

    def __get__(self, instance: Instance | None, owner: type[object] | None = None) -> Any:  # type: ignore[override]
        if instance is None:
            return self
        file = super().__get__(instance, owner)
        if not isinstance(file, FieldFile):
            file = instance.__dict__[self.field.attname] = self._wrapped(instance, file)
        elif file.instance is not instance:
            file.instance = instance
        return file

    def _wrapped(self, instance: Instance, value: object) -> Any:
        """Return a name or a file as a file of the field; anything else as it is."""
        make = self.field.attr_class
        if isinstance(value, Operand):
            value = self.field.db_default
        if value is None or isinstance(value, str):
            return make(instance, self.field, value)
        if not (hasattr(value, "name") and hasattr(value, "read")):
            return value
        file = make(instance, self.field, value.name)
        file.file, file._committed = value, False
        return file

    def __set__(self, instance: object, value: object) -> None:
        instance.__dict__[self.field.attname] = value


class FileField(Field[FieldFile]):
    """The name of a file in `storage`.

    `upload_to` is a folder, with strftime's letters for the time of saving, or a function of (instance, file name).
    `storage` is a `facade.files.Storage`, or a function that returns one; by default the file system.
    """

    upload_to: Any
    storage: Any
    _given_storage: Any
    _primary_key_set_explicitly: bool
    attr_class: ClassVar[type[FieldFile]] = FieldFile
    descriptor_class = FileDescriptor
    description = "File"

    if TYPE_CHECKING:

        def __init__(self, *names: Any, null: bool = ..., **options: Unpack[FileOptions]) -> None: ...

        def __set__(self, instance: object, value: object) -> None: ...

    else:

        def __init__(
            self,
            *names: Any,
            upload_to: str | Callable[[Any, str], str] = "",
            storage: Storage | Callable[[], Storage] | None = None,
            **options: Any,
        ) -> None:
            self._primary_key_set_explicitly = "primary_key" in options
            self._given_storage = storage
            self.storage = default_storage if storage is None else storage
            if callable(storage):
                self.storage = storage()
            if not isinstance(self.storage, Storage):
                kind = f"{Storage.__module__}.{Storage.__qualname__}"
                raise TypeError(f"{type(self).__qualname__}.storage must be a subclass/instance of {kind}")
            self.upload_to = upload_to
            options.setdefault("max_length", 100)
            super().__init__(*names, **options)

    def get_internal_type(self) -> str:
        return "FileField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return text_column(field)

    def get_prep_value(self, value: object) -> Any:
        value = kept(value)
        return None if value is None else storable_text(self, text_of(self, value))

    def pre_save(self, model_instance: Instance, add: bool) -> Any:
        file = super().pre_save(model_instance, add)
        if not isinstance(file, FieldFile):
            return file
        if file.name is None and file._file is not None:
            error = FieldError(f"File for {self.name} must have the name attribute specified to be saved.")
            if type(file._file).__name__ == ContentFile.__name__:
                error.add_note("Pass a 'name' argument to ContentFile.")
            raise error
        if file and not file._committed:
            file.save(file.name, file.file, save=False)
        return file

    def generate_filename(self, instance: object, filename: str) -> str:
        """Return the name under which the storage is asked to keep a file of that name."""
        if callable(self.upload_to):
            wanted = self.upload_to(instance, filename)
        else:
            folder = dt.datetime.now(get_default_timezone()).strftime(str(self.upload_to))
            wanted = posixpath.join(folder, filename)
        validate_file_name(wanted, allow_relative_path=True)
        return str(self.storage.generate_filename(wanted))

    def save_form_data(self, instance: Instance, data: object) -> None:
        # None says that the form has nothing new, another false value that it clears the file.
        if data is not None:
            setattr(instance, self.name, data or "")

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.max_length == 100:
            del options["max_length"]
        options["upload_to"] = self.upload_to
        if self._given_storage is not None:
            options["storage"] = self._given_storage
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        kind = type(self).__name__
        if self._primary_key_set_explicitly:
            found.append(self._error(f"'primary_key' is not a valid argument for a {kind}.", "E201"))
        if isinstance(self.upload_to, str) and self.upload_to.startswith("/"):
            msg = f"{kind}'s 'upload_to' argument must be a relative path, not an absolute path."
            found.append(self._error(msg, "E202", "Remove the leading slash."))
        return found


class ImageFieldFile(FieldFile):
    """The value of an ImageField: a file that knows its size in pixels. Needs Pillow."""

    _pixels: tuple[int, int] | None = None

    def _measured(self) -> tuple[int, int]:
        if self._pixels is None:
            was_closed = self.closed
            self.open()
            with importlib.import_module("PIL.Image").open(self.file) as image:
                self._pixels = image.size
            if was_closed:
                self.close()
                self._file = None
            else:
                self.file.seek(0)
        return self._pixels

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self._measured()[0]

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self._measured()[1]

    def _tell_instance(self, content: object) -> None:
        self._pixels = None
        self.field.update_dimension_fields(self.instance, force=True)  # type: ignore[attr-defined]
        super()._tell_instance(content)

    def delete(self, save: bool = True) -> None:
        self._pixels = None
        super().delete(save)

    adelete = bridge.twin(delete)


class ImageFileDescriptor(FileDescriptor):
    """The attribute of an image field: assigning an image fills in the fields for its size."""

    def __set__(self, instance: object, value: object) -> None:
        is_new = instance.__dict__.get(self.field.attname) is None
        super().__set__(instance, value)
        if not is_new:
            self.field.update_dimension_fields(instance, force=True)


class ImageField(FileField):
    """The name of an image; `width_field` and `height_field` name fields that take its size in pixels."""

    attr_class = ImageFieldFile
    descriptor_class = ImageFileDescriptor
    description = "Image"

    if TYPE_CHECKING:

        def __init__(self, *names: Any, null: bool = ..., **options: Unpack[ImageOptions]) -> None: ...

        width_field: str | None
        height_field: str | None

    else:

        def __init__(
            self, *names: Any, width_field: str | None = None, height_field: str | None = None, **options: Any
        ) -> None:
            self.width_field, self.height_field = width_field, height_field
            super().__init__(*names, **options)

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        if not cls._meta.abstract and (self.width_field or self.height_field):
            post_init.connect(self.update_dimension_fields, sender=cls)

    def update_dimension_fields(self, instance: Instance, force: bool = False, **kwargs: Any) -> None:
        """Fill in the size of the image where it is missing; with `force`, always."""
        names = [name for name in (self.width_field, self.height_field) if name]
        if not names or self.attname not in instance.__dict__:
            return
        file = getattr(instance, self.attname)
        if force or (file and not all(getattr(instance, name) for name in names)):
            for name, side in ((self.width_field, "width"), (self.height_field, "height")):
                if name:
                    setattr(instance, name, getattr(file, side) if file else None)

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        options |= {key: given for key in ("width_field", "height_field") if (given := getattr(self, key))}
        return name, path, args, options
