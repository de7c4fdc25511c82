/*
 * Calling the core.
 *
 * What may stop a call. PostgreSQL sets InterruptPending for many reasons: the user cancels, a
 * timeout is over, the server shuts down, but also a configuration was reloaded, another backend
 * asks for a catch-up, a parallel worker has sent a message. Only CHECK_FOR_INTERRUPTS knows what to
 * do with each, and it may longjmp, so the core's poll cannot run it. Instead the poll stops the
 * core at whatever is pending, CHECK_FOR_INTERRUPTS runs, and if it returns, the call is made once
 * more. A second harmless interrupt waits until that one is through: stopped by a cancel, a timeout, a
 * termination or a client that is gone alone, it cannot be kept from ending by a steady stream of the
 * others. (client_connection_check_interval is such a stream, so the poll looks at the socket itself.)
 */
#include "host.h"

#undef ENABLE_GSS /* its header may not be there; struct Port is the same without */
#include "libpq/libpq-be.h"
#include "miscadmin.h"

#include <poll.h>

/* Whether the server is to look for its client, and CHECK_FOR_INTERRUPTS will find that it is gone. */
static bool client_is_gone(void)
{
#if PG_VERSION_NUM >= 140000 && defined(POLLRDHUP)
    if (CheckClientConnectionPending && MyProcPort) {
        struct pollfd client = {.fd = MyProcPort->sock, .events = POLLRDHUP};

        return poll(&client, 1, 0) > 0;
    }
#endif
    return false;
}

/* transaction_timeout is no cancel: PostgreSQL ends the session. */
static bool transaction_is_over(void)
{
#if PG_VERSION_NUM >= 170000
    return TransactionTimeoutPending;
#else
    return false;
#endif
}

static int stop_wanted(void *state)
{
    const bool *cancel_only = state;

    if (!InterruptPending)
        return 0;
    if (InterruptHoldoffCount > 0 || CritSectionCount > 0 || QueryCancelHoldoffCount > 0)
        return 0; /* CHECK_FOR_INTERRUPTS would do nothing */
    return !*cancel_only || QueryCancelPending || ProcDiePending || transaction_is_over() ||
           client_is_gone();
}

void call_begin(struct call *call)
{
    memset(call, 0, sizeof(*call));
    call->poll.check = stop_wanted;
    call->poll.state = &call->cancel_only;
}

bool call_again(struct call *call, sembed_status status)
{
    if (status != SEMBED_CANCELED)
        return false;
    CHECK_FOR_INTERRUPTS();
    call->cancel_only = true;
    return true;
}

static int sqlstate_of(sembed_status status)
{
    switch (status) {
    case SEMBED_OK:
        return ERRCODE_SUCCESSFUL_COMPLETION;
    case SEMBED_NO_MEMORY:
        return ERRCODE_OUT_OF_MEMORY;
    case SEMBED_INVALID_ARGUMENT:
        return ERRCODE_INVALID_PARAMETER_VALUE;
    case SEMBED_NOT_FOUND:
        return ERRCODE_UNDEFINED_OBJECT;
    case SEMBED_IO:
        return ERRCODE_IO_ERROR;
    case SEMBED_MALFORMED:
        return ERRCODE_DATA_CORRUPTED;
    case SEMBED_UNSUPPORTED:
        return ERRCODE_FEATURE_NOT_SUPPORTED;
    case SEMBED_LIMIT:
        return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case SEMBED_TRUNCATED:
        return ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
    case SEMBED_CANCELED:
        return ERRCODE_QUERY_CANCELED;
    case SEMBED_ENGINE:
        return ERRCODE_INTERNAL_ERROR;
    }
    return ERRCODE_INTERNAL_ERROR;
}

void call_check(const struct call *call, sembed_status status, const char *hint)
{
    if (status == SEMBED_OK)
        return;
    ereport(ERROR,
            (errcode(sqlstate_of(status)), errmsg("%s", convert_message(call->error.message)),
             hint ? errhint("%s", hint) : 0));
}
