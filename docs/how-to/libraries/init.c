#include <math.h>
#include <stdio.h>
#include <sys/reboot.h>

const char *greeting(void);

int main(int argc, char **argv) {
  printf("%s: %.3f\n", greeting(), sqrt(argc + 1));
  fflush(stdout);
  reboot(RB_POWER_OFF);
  return 1;
}
