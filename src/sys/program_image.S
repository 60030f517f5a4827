/* A program, as bytes of the one binary: from IMAGE_BEGIN to IMAGE_END. */
    .section .rodata
    .global IMAGE_BEGIN
    .global IMAGE_END
    .balign 4096
IMAGE_BEGIN:
    .incbin PROGRAM_PATH
IMAGE_END:
    .section .note.GNU-stack,"",%progbits
