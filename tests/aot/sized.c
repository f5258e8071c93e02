/* Runs a network on images of several sizes in one context, through the functions of its header:
 *   sized THREADS (BATCH HEIGHT WIDTH INPUT OUTPUT)... */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>

static int complain(const char* what) {
  fprintf(stderr, "%s: %s\n", what, enfold_last_error());
  return 1;
}

static int transfer(const char* path, const char* mode, void* bytes, size_t size) {
  FILE* file = fopen(path, mode);
  const size_t done = file == NULL     ? 0
                      : mode[0] == 'r' ? fread(bytes, 1, size, file)
                                       : fwrite(bytes, 1, size, file);
  return file != NULL && fclose(file) == 0 && done == size;
}

static int runOn(enfold_context* context, char** files) {
  const enfold_program* program = enfold_context_program(context);
  float* image = malloc((size_t)program->inputs[0].bytes);
  float* scores = malloc((size_t)program->outputs[0].bytes);
  int failed = 0;
  if (!transfer(files[0], "rb", image, (size_t)program->inputs[0].bytes) ||
      net_run(context, image, scores) != ENFOLD_OK ||
      !transfer(files[1], "wb", scores, (size_t)program->outputs[0].bytes))
    failed = complain(files[0]);
  free(image);
  free(scores);
  return failed;
}

int main(int argc, char** argv) {
  enfold_context* context = NULL;
  enfold_options options = {0};
  int i;
  if (net_program() != net_program_at(0) || net_program_at(NET_PROGRAMS) != NULL ||
      net_program_at(-1) != NULL || net_program_for(3, 1, 4) != NULL)
    return 2;
  options.threads = atoi(argv[1]);
  if (enfold_create_context(net_program(), &options, &context) != ENFOLD_OK)
    return complain("context");
  for (i = 2; i + 4 < argc; i += 5) {
    const enfold_program* program =
        net_program_for(atoi(argv[i]), atoi(argv[i + 1]), atoi(argv[i + 2]));
    if (program == NULL || enfold_set_program(context, program) != ENFOLD_OK)
      return complain("program");
    if (runOn(context, argv + i + 3)) return 1;
  }
  enfold_destroy_context(context);
  return 0;
}
