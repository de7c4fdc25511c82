#include "core/compute/gemm.h"
#include "core/sembed.h"

const char *sembed_version(void)
{
    return SEMBED_VERSION;
}

const char *sembed_engine(void)
{
    return gemm_engine_name();
}
