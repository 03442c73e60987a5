"""Any collection of videos, sound files and pictures -> clips without labels."""

from emotion_core.collection.inputs import Collection, Wanted, collect
from emotion_core.collection.lists import is_list, read_list

__all__ = ["Collection", "Wanted", "collect", "is_list", "read_list"]
