//! Mute timings.

managed_endpoints!(
    MuteTiming, MuteTimingList { mute_timings }, "/api/alerts/mute-timings", "/api/alerts/mute-timings/{id}",
    list: {
        /// Mute timings
        ///
        /// Recurring times that a route uses as mute times, when it sends no notifications, or as active times, the
        /// only times when it sends them.
    },
    get: {
        /// One mute timing
    },
    create: {
        /// Add a mute timing
    },
    update: {
        /// Change a mute timing
        ///
        /// Replaces the whole mute timing. `If-Match` names the version that the change is based on.
    },
    delete: {
        /// Delete a mute timing
        ///
        /// 409 while routes refer to it.
    },
);
