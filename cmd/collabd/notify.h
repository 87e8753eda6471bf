/* Tells the service manager how the program does, as sd_notify(3) describes: a datagram to the
 * socket that $NOTIFY_SOCKET names. It is written here because it is these few lines, and the
 * library is many that would be loaded for them. Without the variable nothing is told. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

void notify_ready(const char *status);
void notify_reloading(void); /* notify_ready() follows */
void notify_stopping(void);
void notify_alive(void);

/* How often notify_alive() has to be called at least; 0: nobody waits for it. */
int64_t notify_watchdog_ms(void);

#endif
