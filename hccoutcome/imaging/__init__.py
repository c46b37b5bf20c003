"""Images and masks: reading, writing, de-identification, quality, preparation, registration."""
