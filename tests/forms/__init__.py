"""The forms in which users write queries, by the topics of the guides they come from: Django's pages on async code, and
guides to Django-Bolt and FastAPI.

Each test has a form as it stands in a program, sync and async, with its result and the number of its statements. What else the same
method does, the files of its subject in the folder above have.
"""
