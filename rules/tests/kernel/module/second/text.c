#include "second.h"

const char *second_text(void)
{
#ifdef CONFIG_VENDOR_POLITE
	return "the answer is";
#else
	return "42?";
#endif
}
