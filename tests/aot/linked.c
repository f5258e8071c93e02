/* Runs the network it is linked with:  linked THREADS INPUT... OUTPUT...
 * PROGRAM is the function that returns it. */
#include "network.h"

#include <stdlib.h>

const enfold_program* PROGRAM(void);

int main(int argc, char** argv) {
  return argc < 2 || runOnFiles(PROGRAM(), atoi(argv[1]), argv + 2);
}
