/* The container-side program, as bytes of the one binary. */
    .section .rodata
    .global coracle_init_image_begin
    .global coracle_init_image_end
    .balign 4096
coracle_init_image_begin:
    .incbin CORACLE_INIT_PATH
coracle_init_image_end:
    .section .note.GNU-stack,"",%progbits
