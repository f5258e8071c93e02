/* Runs the network of a shared library:  loaded LIBRARY FUNCTION THREADS INPUT... OUTPUT... */
#include "network.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef const enfold_program* (*ProgramFunction)(void);

int main(int argc, char** argv) {
  void* library = argc < 4 ? NULL : dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  void* symbol = library == NULL ? NULL : dlsym(library, argv[2]);
  ProgramFunction program;
  if (symbol == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  memcpy(&program, &symbol, sizeof program); /* C has no cast from data to function pointers */
  return runOnFiles(program(), atoi(argv[3]), argv + 4);
}
