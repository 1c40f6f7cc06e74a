/* Prints the outputs of the tiny model for the inputs -2, -1, 0, 1. */
#include <stdio.h>

#include "tiny.h"

int main(void) {
  const float x[] = {-2, -1, 0, 1};
  float y[TINY_OUT_Y_ELEMENTS];
  tiny_instance* instance = tiny_create(0);
  if (instance == NULL || tiny_infer(instance, x, y) != 0) return 1;
  printf("%d thread:", (int)tiny_num_threads(instance));
  for (int i = 0; i < TINY_OUT_Y_ELEMENTS; ++i) printf(" %g", y[i]);
  printf("\n");
  tiny_destroy(instance);
  return 0;
}
