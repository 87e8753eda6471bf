/* How far each device of a user has come in the rooms whose events wait for it. collab-redis(7) has
 * the names.
 *
 * Nothing is kept here of what waits: that is in the rooms' histories (store.h), from a device's
 * place on. A place only grows. Of a user, the devices heard of last are kept. */
#ifndef STORE_DEVICES_H
#define STORE_DEVICES_H

#include "store.h"

#define STORE_DEVICE "default" /* that clients are on who name none */
enum { STORE_DEVICES_MAX = 32, STORE_DEVICE_BYTES_MAX = 64 };

/* A device's name has 1 to 64 letters, digits and ._~@-, as a part of a room's has. The fault says
 * so. */
int store_device_check(struct span name, struct fault *f);

/* Where a device stands in a room; or, if it was never there, where the room stood when its user
 * became a member of it: store_beginning when that isn't known. */
struct store_standing {
    struct place at;
    bool is_new; /* nothing is known of the device there */
};
typedef void store_stands(void *arg, enum store_result result, const struct store_standing *there,
                          const char *why);
struct store_device {
    struct span user, name; /* user: text */
};
void store_device_get(struct store *s, const struct store_device *device, struct span room,
                      store_stands *stands, void *arg);

/* Notes where it stands, for ttl_ms from now. An epoch of 0 has it forgotten there. */
struct store_step {
    struct span room;
    struct place at;
};
enum { STORE_STEPS_MAX = 100 };
void store_device_put(struct store *s, const struct store_device *device,
                      const struct store_step *steps, int count, int64_t ttl_ms);

/* Calls each for every room in which a device of the user's stands somewhere, in no order; then
 * done. */
typedef void store_device_each(void *arg, struct span device, struct span room, struct place at);
void store_devices(struct store *s, struct span user, store_device_each *each, store_done *done,
                   void *arg);

/* Calls each for every user of whom a device is known, in no order; then done. */
void store_device_users(struct store *s, store_room *each, store_done *done, void *arg);

#endif
