#ifndef RULES_TESTS_GUEST_TEST_RULES_MACHINE_H_
#define RULES_TESTS_GUEST_TEST_RULES_MACHINE_H_

#include <string>

// InGuest reports whether this process is in a guest of guest_test, as root.
bool InGuest();

// FirstLine returns the first line of a file, or an empty string.
std::string FirstLine(const std::string& name);

#endif
