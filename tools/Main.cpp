// The `enfold` program.
#include <enfold/enfold_compiler.h>

int main(int argc, char** argv) { return enfold_command(argc, argv); }
