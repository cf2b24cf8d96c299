"""Tests of jejunet_nas.datasets."""
