//! Mute timings.

managed_endpoints!(
    MuteTiming, MuteTimingList { mute_timings }, "/api/alerts/mute-timings", "/api/alerts/mute-timings/{id}",
    list: {
        /// Mute timings
        ///
        /// Recurring times at which routes send no notifications, or at which alone they do.
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
        /// Replaces the whole mute timing. `If-Match` names the version that the change was made from.
    },
    delete: {
        /// Delete a mute timing
        ///
        /// Unless routes refer to it.
    },
);
