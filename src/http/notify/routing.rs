//! Routes.

managed_endpoints!(
    Route, RouteList { routes }, "/api/alerts/routes", "/api/alerts/routes/{id}",
    list: {
        /// Routes
        ///
        /// In no particular order. `parent` and `position` make the tree.
    },
    get: {
        /// One route
    },
    create: {
        /// Add a route
    },
    update: {
        /// Change a route
        ///
        /// Replaces the whole route. `If-Match` names the version that the change was made from.
    },
    delete: {
        /// Delete a route
        ///
        /// Unless other routes are nested in it.
    },
);
