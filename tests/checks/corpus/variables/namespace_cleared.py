total = 4711
globals().clear()
