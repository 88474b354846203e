// The first program of an image: it is linked with the C library and the mathematical library, and
// says what they compute.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <unistd.h>

int answer(void);

int main(int argc, char **argv) {
  printf("libraries: the root of %d is %.3f, the answer %d\n", argc + 1, sqrt(argc + 1), answer());
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
