"""What a run waits for: registered before anybody looks, ended once; events, callbacks, people."""
