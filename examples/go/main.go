// Scores one image of noise with a network, through the compiler's C interface.
//
//	export LIBRARY_PATH=$PWD/../../build/release/lib/shared LD_LIBRARY_PATH=$PWD/../../build/release/lib/shared
//	go run . [MODEL]
package main

// #cgo CFLAGS: -I${SRCDIR}/../../include
// #cgo LDFLAGS: -lenfold
// #include <enfold/enfold_compiler.h>
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"log"
	"math/rand"
	"os"
	"unsafe"
)

// check ends the program with the library's words for a call that failed.
func check(status C.enfold_status) {
	if status != C.ENFOLD_OK {
		log.Fatal(C.GoString(C.enfold_compiler_error()))
	}
}

// floats is memory of C for n numbers, and the same as a slice.
func floats(n int) (unsafe.Pointer, []float32) {
	memory := C.calloc(C.size_t(max(n, 1)), 4)
	return memory, unsafe.Slice((*float32)(memory), n)
}

func main() {
	model := "zoo:cnn_batchnorm"
	if len(os.Args) > 1 {
		model = os.Args[1]
	}
	path := C.CString(model)
	defer C.free(unsafe.Pointer(path))
	var network *C.enfold_network
	check(C.enfold_open(path, nil, &network))
	defer C.enfold_close(network)
	var compiled *C.enfold_compiled
	check(C.enfold_compile(network, nil, 0, &compiled))
	defer C.enfold_release_compiled(compiled)

	program := C.enfold_compiled_program(compiled)
	if program.num_inputs != 1 || program.num_outputs != 1 {
		log.Fatal("this example takes networks of one input and one output")
	}
	input, image := floats(int(program.inputs.bytes / 4))
	output, scores := floats(int(program.outputs.bytes / 4))
	defer C.free(input)
	defer C.free(output)
	for i := range image {
		image[i] = rand.Float32()
	}
	check(C.enfold_run_compiled(compiled, &input, 1, &output, 1, nil))
	fmt.Printf("%s: %v\n", C.GoString(program.outputs.name), scores[:min(10, len(scores))])
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func min(a, b int) int { return a + b - max(a, b) }
