"""A study of a log: from a table of decisions to what each action does, and how far that can be trusted."""

from huiyi.cause.table import Roles as Roles
from huiyi.study.effects import Study as Study
from huiyi.study.effects import StudyConfig as StudyConfig
from huiyi.study.effects import effect as effect
from huiyi.study.policies import PolicyStudy as PolicyStudy
from huiyi.study.policies import policy as policy
from huiyi.study.reading import read_log as read_log
