"""Perceive: what do we see and hear? One file a signal."""

from huiyi.perceive.altered import Altered
from huiyi.perceive.audio import AudioPerceiver
from huiyi.perceive.backbone import MARK, BackbonePerceiver
from huiyi.perceive.base import Perceiver
from huiyi.perceive.cache import FeatureCache
from huiyi.perceive.encoders import pieces
from huiyi.perceive.features import FeaturesPerceiver
from huiyi.perceive.fields import Field, FieldsPerceiver, is_missing
from huiyi.perceive.image import IMAGE, ImagePerceiver
from huiyi.perceive.media import MediaKind, Upkeep, left_out
from huiyi.perceive.perceivers import PERCEIVERS, READERS, TunablePerceiver, perceivable, perceiver
from huiyi.perceive.perception import Perception
from huiyi.perceive.pictures import PICTURES
from huiyi.perceive.recordings import RECORDINGS
from huiyi.perceive.sentence import SENTENCE, SentencePerceiver
from huiyi.perceive.stretches import stretches_of
from huiyi.perceive.text import TextPerceiver, said, said_before
from huiyi.perceive.transcripts import TranscriptPerceiver, stood_in
from huiyi.perceive.words import WordsPerceiver, terms

__all__ = [
    "IMAGE", "MARK", "PERCEIVERS", "PICTURES", "READERS", "RECORDINGS", "SENTENCE", "Altered", "AudioPerceiver",
    "BackbonePerceiver", "FeatureCache", "FeaturesPerceiver", "Field", "FieldsPerceiver", "ImagePerceiver",
    "MediaKind", "Perceiver", "Perception", "SentencePerceiver", "TextPerceiver", "TranscriptPerceiver",
    "TunablePerceiver", "Upkeep", "WordsPerceiver", "is_missing", "left_out", "perceivable", "perceiver", "pieces",
    "said", "said_before", "stood_in", "stretches_of", "terms",
]  # fmt: skip
