// A module of two files that needs another module. The vendor's option decides what it prints.
#include <linux/bug.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "../first/first.h"
#include "second.h"

static int __init second_init(void)
{
	pr_info("second: %s %d\n", second_text(), first_answer());
	return WARN_ON(first_answer() != 42);
}
module_init(second_init);

static void __exit second_exit(void)
{
}
module_exit(second_exit);

MODULE_DESCRIPTION("Asks for the answer");
MODULE_LICENSE("GPL");
