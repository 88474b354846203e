// A test without a C library, for compilers that have none. It passes if it runs as root.

#if defined(__aarch64__)

enum { kExit = 93, kGetUid = 174, kWrite = 64 };

static long Call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

#elif defined(__x86_64__)

enum { kExit = 60, kGetUid = 102, kWrite = 1 };

static long Call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

#else
#error "no system calls for this architecture"
#endif

void _start(void) {
  static const char kText[] = "freestanding\n";
  Call(kWrite, 1, (long)kText, sizeof(kText) - 1);
  Call(kExit, Call(kGetUid, 0, 0, 0) != 0, 0, 0);
}
