/* What the compiler's header for a model declares. */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include <enfold/enfold.h>

extern const enfold_program test_model;

#endif
