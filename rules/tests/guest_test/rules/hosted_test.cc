// A C++ test that is linked statically. In a guest it checks what guest_test gives to it.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "rules/tests/guest_test/rules/machine.h"

int main(int argc, char** argv) {
  bool ok = true;
  auto expect = [&ok](bool condition, const std::string& what) {
    if (!condition) {
      std::cerr << "FAIL: " << what << std::endl;
      ok = false;
    }
  };
  auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  expect(argc == 2 && std::string(argv[1]) == "argument", "one argument");
  expect(FirstLine(variable("DATA")) == "data", "the data file at " + variable("DATA"));
  if (variable("GUEST_TEST").empty()) return ok ? 0 : 1;

  expect(InGuest(), "root in a guest");
  expect(variable("TEST_TOTAL_SHARDS") == "2", "two shards");
  std::ofstream(variable("TEST_SHARD_STATUS_FILE"));
  return ok ? 0 : 1;
}
