"""Test data: files, folders, values and datasets as tables of named columns."""

from pytest_infperf.tasks.data.conll import read_conll
from pytest_infperf.tasks.data.hub import HubDataset
from pytest_infperf.tasks.data.read import Data, ReadsCalibration, ReadsData, read
from pytest_infperf.tasks.data.table import Table

__all__ = ["Data", "HubDataset", "ReadsCalibration", "ReadsData", "Table", "read", "read_conll"]
