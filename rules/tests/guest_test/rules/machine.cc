#include "rules/tests/guest_test/rules/machine.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

bool InGuest() { return std::getenv("GUEST_TEST") != nullptr && geteuid() == 0 && access("/guest/test", X_OK) == 0; }

std::string FirstLine(const std::string& name) {
  std::ifstream file(name);
  std::string line;
  std::getline(file, line);
  return line;
}
