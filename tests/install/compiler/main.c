/* Compiles a model and runs it, using nothing but the installed interface in C. */
#include <enfold/enfold_compiler.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, enfold_compiler_error());
  return 1;
}

int main(void) {
  enfold_network* network = NULL;
  if (enfold_open("zoo:cnn_batchnorm", NULL, &network)) return fail("open");
  enfold_compiled* compiled = NULL;
  if (enfold_compile(network, NULL, 0, &compiled)) return fail("compile");
  const enfold_program* program = enfold_compiled_program(compiled);
  float* images = calloc(1, (size_t)program->inputs[0].bytes);
  float* scores = calloc(1, (size_t)program->outputs[0].bytes);
  if (!images || !scores) return fail("memory");

  const void* inputs[] = {images};
  void* outputs[] = {scores};
  if (enfold_run_compiled(compiled, inputs, 1, outputs, 1, NULL)) return fail("run");
  /* Equal images have equal scores, and an untrained network's scores are not all the same. */
  int equal = 1, constant = 1;
  for (int i = 0; i < 10; ++i) {
    equal &= scores[i] == scores[10 + i];
    constant &= scores[i] == scores[0];
  }
  free(images);
  free(scores);
  enfold_release_compiled(compiled);
  enfold_close(network);
  if (!equal || constant) fprintf(stderr, "unlikely scores\n");
  return !equal || constant;
}
