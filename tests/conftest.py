"""One thread: the networks here are tiny, and threads that wait for a busy core cost tenfold."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start

import torch

torch.set_num_threads(1)
