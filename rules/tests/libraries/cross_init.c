// The first program of an image, for an architecture whose compiler has neither headers nor start
// files, but the shared C library. The dynamic loader has prepared the library before _start.
double sqrt(double x);
int fflush(void *stream);
int printf(const char *format, ...);
int reboot(int command);

enum { power_off = 0x4321fedc }; // LINUX_REBOOT_CMD_POWER_OFF of include/uapi/linux/reboot.h

static volatile double two = 2;

void _start(void) {
  printf("libraries: the root of 2 is %.3f\n", sqrt(two));
  fflush(0);
  reboot(power_off);
  for (;;) {
  }
}
