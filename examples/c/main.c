/* Runs cnn_batchnorm, compiled ahead of time, on a batch of 16 images.
 *
 *   enfold compile zoo:cnn_batchnorm -o cnn_batchnorm.o --header cnn_batchnorm.h
 *   cc main.c cnn_batchnorm.o -lenfold_runtime -lpthread -lm -o classify && ./classify */
#include "cnn_batchnorm.h"

#include <stdio.h>

static float images[CNN_BATCHNORM_INPUT_0_ELEMENTS];
static float scores[CNN_BATCHNORM_OUTPUT_0_ELEMENTS];

int main(void) {
  for (int i = 0; i < CNN_BATCHNORM_INPUT_0_ELEMENTS; ++i) images[i] = (float)(i % 251) / 251;

  enfold_context* context = NULL;
  if (enfold_create_context(cnn_batchnorm_program(), NULL, &context) != ENFOLD_OK ||
      cnn_batchnorm_run(context, images, scores) != ENFOLD_OK) {
    fprintf(stderr, "%s\n", enfold_last_error());
    return 1;
  }
  for (int image = 0; image < 3; ++image) {
    const float* row = scores + image * 10;
    int best = 0;
    for (int c = 1; c < 10; ++c)
      if (row[c] > row[best]) best = c;
    printf("image %d: class %d, score %.4f\n", image, best, row[best]);
  }
  enfold_destroy_context(context);
  return 0;
}
