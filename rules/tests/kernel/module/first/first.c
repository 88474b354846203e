// A module that another one needs.
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "first.h"

int first_answer(void)
{
	return 42;
}
EXPORT_SYMBOL_GPL(first_answer);

static int __init first_init(void)
{
	pr_info("first: loaded\n");
	return 0;
}
module_init(first_init);

static void __exit first_exit(void)
{
}
module_exit(first_exit);

MODULE_DESCRIPTION("Has the answer");
MODULE_LICENSE("GPL");
