const char *second_text(void);
