"""What pretraining adds, by application: each module has `run(seed)`, for `transfer_gain` to compare."""
