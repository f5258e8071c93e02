/* Runs two networks through the functions and constants of their headers, which go together, and
 * prints a hash of each answer. */
#include "cnn_batchnorm.h"
#include "cnn_elu.h"

#include <stdint.h>
#include <stdio.h>

static float images[CNN_BATCHNORM_INPUT_0_ELEMENTS];
static float scores[CNN_BATCHNORM_OUTPUT_0_ELEMENTS];

static unsigned long hashOfScores(void) {
  const unsigned char* bytes = (const unsigned char*)scores;
  uint32_t hash = 2166136261u; /* FNV-1a */
  size_t i;
  for (i = 0; i < sizeof scores; ++i) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

static int complain(void) {
  fprintf(stderr, "%s\n", enfold_last_error());
  return 1;
}

int main(void) {
  enfold_context* batchnorm = NULL;
  enfold_context* elu = NULL;
  int i;
  for (i = 0; i < CNN_BATCHNORM_INPUT_0_ELEMENTS; ++i) images[i] = (float)(i % 16) / 16;
  if (sizeof scores != CNN_BATCHNORM_OUTPUT_0_BYTES ||
      enfold_find_input(cnn_batchnorm_program(), CNN_BATCHNORM_INPUT_0_NAME) != 0)
    return 2;
  if (enfold_create_context(cnn_batchnorm_program(), NULL, &batchnorm) != ENFOLD_OK ||
      enfold_create_context(cnn_elu_program(), NULL, &elu) != ENFOLD_OK)
    return complain();
  if (cnn_batchnorm_run(batchnorm, images, scores) != ENFOLD_OK) return complain();
  printf("%08lx\n", hashOfScores());
  if (cnn_elu_run(elu, images, scores) != ENFOLD_OK) return complain();
  printf("%08lx\n", hashOfScores());
  enfold_destroy_context(batchnorm);
  enfold_destroy_context(elu);
  return 0;
}
