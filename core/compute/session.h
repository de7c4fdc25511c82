/* What an encoder_session is made of; core/compute's own. */
#ifndef SEMBED_COMPUTE_SESSION_H
#define SEMBED_COMPUTE_SESSION_H

#include "core/base/arena.h"
#include "core/compute/encoder.h"
#include "core/compute/gemm.h"

struct encoder_session {
    struct gemm_session *gemm;
    struct arena arena;        /* of encoder_run, whose result lies in it */
    struct arena linear_arena; /* of linear_run, which that result may be fed to */
};

#endif
