/* An application in C that runs a compiled model on 1 and on 2 threads. */
#include "model.h"

#include <stdio.h>

static float x[1000];
static float y[1000];

static int runOn(int threads) {
  const void* inputs[] = {x};
  void* outputs[] = {y};
  enfold_options options = {0};
  enfold_context* context = NULL;
  int wrong = 0;
  int i;
  options.threads = threads;
  if (enfold_create_context(&test_model, &options, &context) != ENFOLD_OK ||
      enfold_run(context, inputs, 1, outputs, 1) != ENFOLD_OK) {
    fprintf(stderr, "%s\n", enfold_last_error());
    return 1;
  }
  enfold_destroy_context(context);
  for (i = 0; i < 1000; ++i) {
    const float expected = x[i] > 1.5f ? 2 * x[i] - 3 : 0;
    wrong += y[i] != expected;
    y[i] = -1;
  }
  if (wrong != 0) fprintf(stderr, "%d of 1000 values are wrong on %d threads\n", wrong, threads);
  return wrong != 0;
}

int main(void) {
  int i;
  for (i = 0; i < 1000; ++i) x[i] = 0.25f * (float)(i % 100);
  return runOn(1) + runOn(2);
}
