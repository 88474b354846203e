const char *greeting(void) { return "Hello from a dynamic /init"; }
