"""Models held in memory, several at once, and the files a prediction is written to."""
