"""What a person may ask of an installation and say to it, from inside and over HTTP; it decides nothing."""
