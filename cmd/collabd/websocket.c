#include "websocket.h"
#include "deflate.h"
#include "log.h"
#include "mem.h"
#include "web.h"
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* libwebsockets keeps a buffer of this size for each connection, in which it gathers the 125
     * bytes that a control frame may have. What is longer arrives in pieces. */
    RX_BYTES = 128,
    PIECES_MAX = 64,    /* read at once */
    TX_BYTES = 1 << 20, /* more than one write of ours, so that none is cut */
    HEAD_BYTES = 1024,  /* of the request that we write for libwebsockets */
    HEADS = 64,
    CLOSE_S = 5,      /* how long a peer may take to answer a close */
    KEY_CHARS = 24,   /* 16 bytes in base64 */
    SPARE_FDS = 1024, /* listeners, Redis, connections still in HTTP */
};

struct websockets {
    struct gateway *gateway;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct socket *arriving; /* the one whose handshake libwebsockets is working on */
    int unread[PIECES_MAX];  /* descriptors of which more of a frame is to come */
    int unread_count;
};

/* One connection. */
struct socket {
    struct link link; /* first, so that a link is its socket */
    struct lws *wsi;
    const struct receiver *receiver;
    void *arg;           /* the receiver's */
    struct buf *message; /* pieces of the message that is arriving; NULL: there are none */
    bool compressed;     /* it is */
    bool in_frame;       /* more of the frame that is arriving is to come */
    bool dead;           /* nothing can be written any more */
};

/* --- the link ----------------------------------------------------------------------------- */

static struct socket *socket_of(struct link *l)
{
    return (struct socket *)l;
}

static bool write_frames(struct link *l, struct span frames)
{
    struct socket *k = socket_of(l);
    if (k->dead)
        return false;
    if (lws_partial_buffered(k->wsi)) {
        lws_callback_on_writable(k->wsi);
        return false;
    }
    /* A raw write leaves the bytes alone, whatever its prototype says. */
    if (lws_write(k->wsi, (unsigned char *)frames.at, frames.len, LWS_WRITE_RAW) >= 0)
        return true;
    k->dead = true;
    lws_set_timeout(k->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
    return false;
}

/* The close frame is ours, as all others: on a libuv loop this libwebsockets ends a connection
 * without the one that it was asked to send. The peer's answer ends it; or the time limit. */
static void wind_up(struct link *l)
{
    l->closing = true;
    lws_set_timeout(socket_of(l)->wsi, PENDING_TIMEOUT_CLOSE_ACK, CLOSE_S);
}

static void stuck(struct link *l)
{
    const struct socket *k = socket_of(l);
    k->receiver->broken(k->arg, l, CLOSE_SLOW);
}

static const struct link_kind link_kind = {.send = write_frames, .close = wind_up, .stuck = stuck};

/* --- what libwebsockets tells ------------------------------------------------------------- */

static int established(struct websockets *w, struct lws *wsi)
{
    struct socket *k = w->arriving;
    if (!k)
        return -1;
    w->arriving = NULL;
    k->wsi = wsi;
    lws_set_opaque_user_data(wsi, k);
    k->arg = k->receiver->opened(k->arg, &k->link);
    return 0;
}

static void drop_pieces(struct socket *k)
{
    if (!k->message)
        return;
    buf_fini(k->message);
    free(k->message);
    k->message = NULL;
}

static void ended(struct socket *k)
{
    k->receiver->ended(k->arg, &k->link);
    drop_pieces(k);
    free(k);
}

static void broken(struct socket *k, enum close_code code)
{
    k->receiver->broken(k->arg, &k->link, code);
}

static void take_message(struct socket *k, struct span message)
{
    bool binary = lws_frame_is_binary(k->wsi);
    if (binary || span_is_utf8(message))
        k->receiver->message(k->arg, &k->link, message, binary);
    else
        broken(k, CLOSE_NOT_UTF8);
}

static void take_compressed(struct gateway *g, struct socket *k, struct span message)
{
    struct buf plain = {0};
    enum deflate_result result =
        deflate_unpack(g->deflate, message, (size_t)g->limits.message_bytes, &plain);
    g->metrics.value[M_COMPRESSED_IN]++;
    if (result == DEFLATE_DONE)
        take_message(k, buf_span(&plain));
    else
        broken(k, result == DEFLATE_TOO_BIG ? CLOSE_TOO_BIG : CLOSE_PROTOCOL);
    buf_fini(&plain);
}

/* Whether a piece may be marked as it is: the mark of a compressed message stands in its first
 * frame (RFC 7692, section 6). libwebsockets takes it anywhere, once it was agreed on. */
static bool is_well_marked(struct socket *k)
{
    bool marked = lws_get_reserved_bits(k->wsi) != 0;
    bool begins = !k->in_frame;
    k->in_frame = lws_remaining_packet_payload(k->wsi) != 0;
    if (lws_is_first_fragment(k->wsi)) {
        k->compressed = marked;
        return true;
    }
    return !begins || !marked;
}

/* All that came of the message so far. */
static struct span add_piece(struct socket *k, struct span piece)
{
    if (!k->message)
        k->message = mem_zero(sizeof(*k->message));
    buf_join(k->message, piece);
    return buf_span(k->message);
}

static void note_unread(struct websockets *w, const struct socket *k)
{
    if (k->in_frame && w->unread_count < PIECES_MAX)
        w->unread[w->unread_count++] = lws_get_socket_fd(k->wsi);
}

void websockets_read_on(struct websockets *w)
{
    /* What is read here notes more. */
    for (int i = 0; i < w->unread_count; i++) {
        struct lws_pollfd ready = {w->unread[i], LWS_POLLIN, LWS_POLLIN};
        lws_service_fd(w->lws, &ready);
    }
    w->unread_count = 0;
}

/* A piece of a message: mostly all of it, which is then read where it lies. */
static void receive(struct websockets *w, struct socket *k, struct span piece)
{
    bool whole = lws_is_final_fragment(k->wsi);
    k->receiver->heard(k->arg);
    if (k->link.closing)
        return;
    if (!is_well_marked(k)) {
        broken(k, CLOSE_PROTOCOL);
        return;
    }
    note_unread(w, k);
    size_t before = k->message ? k->message->len : 0;
    if (before + piece.len > (size_t)w->gateway->limits.message_bytes) {
        broken(k, CLOSE_TOO_BIG);
        return;
    }
    if (!whole || before)
        piece = add_piece(k, piece);
    if (!whole)
        return;
    if (k->compressed)
        take_compressed(w->gateway, k, piece);
    else
        take_message(k, piece);
    drop_pieces(k);
}

/* Some clients send pongs that nobody asked for; those are empty. */
static void receive_pong(struct socket *k, size_t len)
{
    if (len && k->link.pongs != k->link.pings)
        k->link.pongs++;
    k->receiver->heard(k->arg);
    if (!k->link.closing && lws_get_reserved_bits(k->wsi))
        broken(k, CLOSE_PROTOCOL);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct websockets *w = lws_context_user(lws_get_context(wsi));
    struct socket *k = lws_get_opaque_user_data(wsi);
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        return established(w, wsi);
    case LWS_CALLBACK_RECEIVE:
        if (k)
            receive(w, k, (struct span){in, len});
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        if (k)
            receive_pong(k, len);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (k)
            k->receiver->writable(k->arg, &k->link);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        /* Ours was answered, or ours answers the peer's. */
        return k && k->link.closing ? -1 : 0;
    case LWS_CALLBACK_CLOSED:
        lws_set_opaque_user_data(wsi, NULL);
        if (k)
            ended(k);
        return 0;
    case LWS_CALLBACK_HTTP: /* only upgrades are handed over */
        return -1;
    default:
        return 0;
    }
}

/* --- taking a connection over ------------------------------------------------------------- */

static bool is_base64(struct span s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return s.len == KEY_CHARS && strspn(s.at, digits) >= 22;
}

const char *websocket_check(const struct websocket_offer *o)
{
    if (!span_is(o->version, "13"))
        return "Sec-WebSocket-Version: must be 13";
    if (!is_base64(o->key))
        return "Sec-WebSocket-Key: must be 16 bytes in base64";
    return NULL;
}

/* libwebsockets reads a request of our own making, of what is needed: it would refuse a list of
 * subprotocols of more than 127 bytes, and a token among them is longer. */
static void write_head(struct buf *head, const struct websocket_offer *o, bool deflates)
{
    buf_printf(head,
               "GET / HTTP/1.1\r\nHost: collabd\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %.*s\r\n",
               (int)o->key.len, o->key.at);
    if (web_lists(o->protocols, PROTOCOL_NAME))
        buf_text(head, "Sec-WebSocket-Protocol: " PROTOCOL_NAME "\r\n");
    if (deflates)
        buf_text(head, "Sec-WebSocket-Extensions: " DEFLATE_NAME "; " DEFLATE_SERVER_ALONE
                       "; " DEFLATE_CLIENT_ALONE "\r\n");
    buf_text(head, "\r\n");
    buf_join(head, o->early);
}

bool websocket_take(struct websockets *w, int fd, const struct websocket_offer *o,
                    const struct receiver *receiver, void *arg)
{
    struct buf head = {0};
    struct socket *k = mem_zero(sizeof(*k));
    k->link.kind = &link_kind;
    k->link.deflates = w->gateway->deflate && deflate_is_offered(o->extensions);
    k->receiver = receiver;
    k->arg = arg;
    write_head(&head, o, k->link.deflates);
    w->arriving = k;
    /* Calls established() before it returns, or fails and closes the socket. */
    lws_adopt_socket_vhost_readbuf(w->vhost, fd, head.at, head.len);
    bool taken = !w->arriving;
    if (!taken)
        free(k);
    w->arriving = NULL;
    buf_fini(&head);
    return taken;
}

/* --- compression -------------------------------------------------------------------------- */

/* To libwebsockets an extension that does nothing: so it takes marked frames, and hands on what
 * is in them as it came. Its own keeps the state of zlib for each connection, compresses for each
 * client anew, and does not stand a message that inflates without end. */
static int extend(struct lws_context *context, const struct lws_extension *ext, struct lws *wsi,
                  enum lws_extension_callback_reasons reason, void *user, void *in, size_t len)
{
    static const struct lws_ext_options parameters[] = {
        {DEFLATE_SERVER_ALONE, EXTARG_NONE},
        {DEFLATE_CLIENT_ALONE, EXTARG_NONE},
        {NULL, 0},
    };
    (void)context, (void)ext, (void)wsi, (void)user, (void)len;
    if (reason == LWS_EXT_CB_CONSTRUCT)
        *(const struct lws_ext_options **)in = parameters;
    return 0;
}

static const struct lws_extension extensions[] = {
    {DEFLATE_NAME, extend, DEFLATE_NAME},
    {NULL, NULL, NULL},
};

/* --- set-up ------------------------------------------------------------------------------- */

static void log_line(int level, const char *line)
{
    (void)level;
    log_debug("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static const struct lws_protocols protocols[] = {
    {PROTOCOL_NAME, on_event, 0, RX_BYTES, 0, NULL, TX_BYTES},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Whether a client lives is the codecs' to find out. libwebsockets' own watch, from which a pong
 * takes it to be alive, keeps a sorted list: each pong costs as much as there are connections. */
static const lws_retry_bo_t no_watch = {.secs_since_valid_hangup = 0};

struct websockets *websockets_new(struct gateway *g, struct fault *f)
{
    struct websockets *w = mem_zero(sizeof(*w));
    void *loops[] = {g->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .extensions = extensions,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = w,
        .retry_and_idle_policy = &no_watch,
        /* Without it the table is as large as `ulimit -n`. */
        .fd_limit_per_thread = (unsigned int)g->limits.connections + SPARE_FDS,
        .max_http_header_data = HEAD_BYTES,
        .max_http_header_pool = HEADS,
    };
    w->gateway = g;
    lws_set_log_level(log_wants(LOG_DEBUG) ? LLL_ERR | LLL_WARN | LLL_NOTICE : 0, log_line);
    w->lws = lws_create_context(&info);
    if (w->lws)
        w->vhost = lws_create_vhost(w->lws, &info);
    if (w->vhost)
        return w;
    fault_set(f, "libwebsockets cannot start (is libwebsockets-evlib-uv installed?)");
    websockets_free(w);
    return NULL;
}

void websockets_close(struct websockets *w)
{
    w->unread_count = 0;
    lws_context_destroy(w->lws);
}

/* On a loop that is not its own libwebsockets wants to be told a second time. */
void websockets_free(struct websockets *w)
{
    if (w->lws)
        lws_context_destroy(w->lws);
    free(w);
}
