//! Mute timings.

managed_endpoints!(
    MuteTiming, MuteTimingList { mute_timings }, "/api/alerts/mute-timings", "/api/alerts/mute-timings/{id}",
    list: {
        /// Mute timings
        ///
        /// Returns the recurring times that routes refer to. A route sends no notifications during its mute times. A
        /// route with active times sends notifications only during these times.
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
        /// Replaces the whole mute timing. A mute timing of the configuration cannot be changed (409). `If-Match`
        /// contains the version that the change is based on.
    },
    delete: {
        /// Delete a mute timing
        ///
        /// Returns 409 while routes refer to the mute timing, and for a mute timing of the configuration.
    },
);
