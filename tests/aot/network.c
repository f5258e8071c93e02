/* Reading inputs, running a program and writing outputs, for the programs beside this file. */
#include "network.h"

#include <stdio.h>
#include <stdlib.h>

static int readFile(const char* path, void* bytes, size_t size) {
  FILE* file = fopen(path, "rb");
  const int good = file != NULL && fread(bytes, 1, size, file) == size && fgetc(file) == EOF;
  if (!good) fprintf(stderr, "%s does not hold %lu bytes\n", path, (unsigned long)size);
  if (file != NULL) fclose(file);
  return good;
}

static int writeFile(const char* path, const void* bytes, size_t size) {
  FILE* file = fopen(path, "wb");
  const int good = file != NULL && fwrite(bytes, 1, size, file) == size;
  if (file != NULL && fclose(file) == 0 && good) return 1;
  fprintf(stderr, "%s cannot be written\n", path);
  return 0;
}

/* Memory for each of `count` tensors. */
static void** allocate(const enfold_tensor_info* infos, int count) {
  void** memory = malloc((size_t)(count + 1) * sizeof *memory);
  int i;
  for (i = 0; i < count; ++i) memory[i] = malloc((size_t)infos[i].bytes + 1);
  return memory;
}

static void release(void** memory, int count) {
  int i;
  for (i = 0; i < count; ++i) free(memory[i]);
  free(memory);
}

static int runOn(const enfold_program* program, int threads, char** files, void** inputs,
                 void** outputs) {
  enfold_options options = {0};
  enfold_context* context = NULL;
  enfold_status status;
  int i;
  for (i = 0; i < program->num_inputs; ++i)
    if (!readFile(files[i], inputs[i], (size_t)program->inputs[i].bytes)) return 1;
  options.threads = threads;
  status = enfold_create_context(program, &options, &context);
  if (status == ENFOLD_OK)
    status = enfold_run(context, (const void* const*)inputs, program->num_inputs, outputs,
                        program->num_outputs);
  if (status != ENFOLD_OK)
    fprintf(stderr, "%s: %s\n", enfold_status_text(status), enfold_last_error());
  enfold_destroy_context(context);
  for (i = 0; status == ENFOLD_OK && i < program->num_outputs; ++i)
    if (!writeFile(files[program->num_inputs + i], outputs[i], (size_t)program->outputs[i].bytes))
      return 1;
  return status != ENFOLD_OK;
}

int runOnFiles(const enfold_program* program, int threads, char** files) {
  void** inputs = allocate(program->inputs, program->num_inputs);
  void** outputs = allocate(program->outputs, program->num_outputs);
  const int failed = runOn(program, threads, files, inputs, outputs);
  release(inputs, program->num_inputs);
  release(outputs, program->num_outputs);
  return failed;
}
