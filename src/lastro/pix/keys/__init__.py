"""Pix keys: names under which the directory (DICT) knows our customers' accounts."""
