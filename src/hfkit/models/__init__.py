"""Models: a name -> a PreTrainedModel that fits the task, with what may learn decided on top (`build`, `loading`)."""
